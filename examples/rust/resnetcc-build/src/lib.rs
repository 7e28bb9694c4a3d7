//! For build scripts: compiles a model, has cargo link it, and writes `NAME.rs` into OUT_DIR with a safe `Runner` for it.
//!
//! `resnetcc_build::Model::new("net.onnx").compile();` in build.rs, and in the program
//! `mod net { include!(concat!(env!("OUT_DIR"), "/net.rs")); }`. Needs resnetcc, pkg-config and ar; RESNETCC_EXECUTABLE
//! names another compiler than that of the path.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

pub struct Model {
    path: PathBuf,
    name: String,
    options: Vec<String>,
}

impl Model {
    /// Its name is that of the file.
    pub fn new(path: impl AsRef<Path>) -> Model {
        let path = path.as_ref().to_path_buf();
        let stem = path
            .file_stem()
            .expect("a model's file has a name")
            .to_string_lossy();
        let name = stem
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        Model {
            path,
            name,
            options: Vec::new(),
        }
    }

    /// The prefix of the C names, and the name of the file of Rust.
    pub fn name(mut self, name: &str) -> Model {
        self.name = name.into();
        self
    }

    /// The value of --input.
    pub fn input(self, words: &str) -> Model {
        self.option(&format!("--input={words}"))
    }

    /// The value of --output.
    pub fn output(self, words: &str) -> Model {
        self.option(&format!("--output={words}"))
    }

    /// The oldest CPU that the program is to run on. Without it, that of the machine that builds.
    pub fn cpu(self, cpu: &str) -> Model {
        self.option(&format!("-mcpu={cpu}"))
    }

    pub fn option(mut self, option: &str) -> Model {
        self.options.push(option.into());
        self
    }

    pub fn compile(self) {
        let out = PathBuf::from(env::var("OUT_DIR").expect("compile is for build scripts"));
        let object = out.join(format!("{}.o", self.name));
        let rule = out.join(format!("{}.d", self.name));
        let (host, target) = (env::var("HOST").unwrap(), env::var("TARGET").unwrap());
        let resnetcc = env::var("RESNETCC_EXECUTABLE").unwrap_or_else(|_| "resnetcc".into());
        let mut command = Command::new(&resnetcc);
        command
            .arg(format!("--name={}", self.name))
            .args(&self.options)
            .arg("-MF")
            .arg(&rule)
            .arg("-o")
            .arg(&object);
        if host != target {
            assert!(
                self.options.iter().any(|o| o.starts_with("-mcpu")),
                "a build for {target} has to name its CPU: cpu()"
            );
            command.arg(format!("--target={target}"));
        }
        run(command.arg("--").arg(&self.path));

        let archive = out.join(format!("lib{}.a", self.name));
        let _ = fs::remove_file(&archive);
        run(Command::new("ar").arg("crs").arg(&archive).arg(&object));
        println!("cargo:rustc-link-search=native={}", out.display());
        println!("cargo:rustc-link-lib=static={}", self.name);
        let libdir = run(Command::new("pkg-config").args(["--variable=libdir", "resnetcc_rt"]));
        println!("cargo:rustc-link-search=native={}", libdir.trim());
        println!("cargo:rustc-link-lib=static=resnetcc_rt");
        println!("cargo:rerun-if-env-changed=RESNETCC_EXECUTABLE");
        for path in sources(&fs::read_to_string(&rule).expect("a rule of -MF")) {
            println!("cargo:rerun-if-changed={path}");
        }
        let text = include_str!("runner.rs").replace("NAME", &self.name);
        fs::write(out.join(format!("{}.rs", self.name)), text).expect("OUT_DIR can be written");
    }
}

/// What a rule of make says that its targets are made from.
fn sources(rule: &str) -> Vec<String> {
    let from = rule
        .split_once(": ")
        .map_or("", |(_, from)| from)
        .replace("\\\n", " ")
        .replace("\\ ", "\0");
    from.split_whitespace()
        .map(|word| {
            word.replace('\0', " ")
                .replace("\\#", "#")
                .replace("$$", "$")
        })
        .collect()
}

fn run(command: &mut Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    String::from_utf8(done.stdout).expect("text")
}
