"""Shared libraries of models, each compiled once and kept in ~/.cache/resnetcc."""
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile


def _digest(path):
    with open(path, "rb") as f:
        h = hashlib.sha256()
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.hexdigest()


def _run(command, what):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"{what} ended with status {done.returncode}")
    return done.stdout


def _linker():
    cc = shlex.split(os.environ.get("CC") or "cc")
    if not shutil.which(cc[0]):
        raise RuntimeError(f"resnetcc.load links the model with a C compiler, and there is no {cc[0]}: install one "
                           "(apt-get install gcc, or dnf install gcc), name one in CC, or load a .so made elsewhere")
    return cc


def _sources(rule):
    """What a rule of make by -MF says that the model was made from, beside the model itself."""
    with open(rule) as f:
        words = f.read().partition(":")[2].replace("\\\n", " ").replace("\\ ", "\0").split()
    return [word.replace("\0", " ").replace("\\#", "#").replace("$$", "$") for word in words][1:]


def _is_valid(entry, folder):
    """Whether the entry is whole, and the files of external data beside the model are those of then."""
    try:
        with open(os.path.join(entry, "sources.json")) as f:
            return all(_digest(os.path.join(folder, name)) == digest for name, digest in json.load(f).items())
    except OSError:
        return False


def _compile(resnetcc, library, model, options, folder):
    """Fills `folder` with model.so and what it was made from."""
    cc = _linker()
    output, rule = os.path.join(folder, "model.o"), os.path.join(folder, "model.d")
    _run([resnetcc, *options, "--name=model", "-MF", rule, "-o", output, "--", model], "resnetcc")
    _run([*cc, "-shared", output, "-Wl,--whole-archive", library, "-Wl,--no-whole-archive", "-pthread", "-o",
          os.path.join(folder, "model.so")], cc[0])
    beside = os.path.dirname(model)
    sources = {os.path.relpath(path, beside): _digest(path) for path in _sources(rule)}
    with open(os.path.join(folder, "sources.json"), "w") as f:
        json.dump(sources, f)
    os.remove(output)


def library_of(resnetcc, library, model, options):
    """The path of the shared library for a model and options; makes it where there is none yet."""
    model = os.path.abspath(model)
    # The compiler tells its version, and which CPU it compiles for without an option.
    about = _run([resnetcc, "--version"], "resnetcc") + _this_cpu()
    key = hashlib.sha256("\0".join([_digest(model), about, *options]).encode()).hexdigest()
    root = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "resnetcc")
    entry = os.path.join(root, key)
    if not _is_valid(entry, os.path.dirname(model)):
        os.makedirs(root, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as folder:
            whole = os.path.join(folder, "whole")
            os.mkdir(whole)
            _compile(resnetcc, library, model, options, whole)
            if os.path.isdir(entry):
                os.rename(entry, os.path.join(folder, "old"))
            try:
                os.rename(whole, entry)
            except OSError:  # another process was faster
                if not os.path.isdir(entry):
                    raise
    return os.path.join(entry, "model.so")


def _this_cpu():
    """The CPU's name and features: a home may be shared by machines that differ."""
    with open("/proc/cpuinfo") as f:
        lines = f.read().partition("\n\n")[0].splitlines()
    return "\n".join(line for line in lines if line.startswith(("model name", "flags")))
