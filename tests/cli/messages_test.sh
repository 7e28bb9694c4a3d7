# Every text of a message is a heading of the page that tells cause and cure, and the page has no others.
. "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || skip "no python3 to read the sources"
page=$here/../../compiler/TROUBLESHOOTING.md
python3 "$here/messages.py" "$here/../../compiler" | LC_ALL=C sort >sources || failed "messages.py"
sed -n 's/^### //p' "$page" | LC_ALL=C sort >page
[ "$(wc -l <sources)" -gt 400 ] || failed "only $(wc -l <sources) messages found"
difference=$(diff sources page) || failed "< is missing in TROUBLESHOOTING.md, > is no message any more:
$difference"
# Below each run of headings stand a cause and a cure.
awk '/^###? / && !/^## / { if (last == "cause") bad = 1; if (last != "head") { last = "head" } next }
  /^Cause: / { if (last != "head") bad = 1; last = "cause" }
  /^Cure: / { if (last != "cause") bad = 1; last = "cure" }
  END { exit bad || last != "cure" }' "$page" || failed "a heading of TROUBLESHOOTING.md is without cause or cure"
rm -f sources page
finish
