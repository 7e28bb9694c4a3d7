# --report=FILE.html: one page with its data, that asks nobody for anything; a browser draws it without an error.
. "$(dirname "$0")/common.sh"
digits=$here/../../examples/digits/digits.onnx

succeeds "$digits" -o digits.o --report=page.html --report=data.json
for id in summary graph layers roofline memory weights changes accuracy; do holds page.html "<section id=\"$id\">"; done
grep -Eq '(src|href)="?(https?:)?//|url\(|@import|fetch\(|XMLHttp' page.html && failed "the page asks others for something"
layers=$(grep -c '<tr data-layer=' page.html)
[ "$layers" -ge 8 ] || failed "the page has $layers layers"
[ "$(wc -c <page.html)" -le 200000 ] || failed "the page has $(wc -c <page.html) bytes"
sed -n '/<script type="application\/json" id="data">/,/<\/script>/p' page.html | sed 's/<script[^>]*>//; s/<\/script>//' >embedded
[ "$(cat embedded)" = "$(cat data.json)" ] || failed "the page's data are not those of data.json"

# Data sets beside the model are run as well; one that is for another interface is told, not an error.
cp "$here/tiny.onnx" model.onnx
succeeds verify model.onnx --save .
succeeds model.onnx --report=golden.html --report=golden.json
holds golden.html "1 of 1 data sets beside the model agree"
holds golden.json '"verify": {"rtol": '
succeeds model.onnx --batch=2 --report=golden.html
holds golden.html "The data sets beside the model could not be used: "

if command -v chromium >/dev/null && [ "$(uname -m)" = x86_64 ]; then
  cat >act.html <<'X'
<script>
window.onerror = function (m) { document.body.dataset.error = m; };
</script>
X
  cat >check.html <<'X'
<script>
var say = function (k, v) { document.body.setAttribute("data-" + k, v); }, count = function (q) { return document.querySelectorAll(q).length; };
say("rows", count("tr[data-layer]:not([hidden])"));
say("nodes", count("#view .node"));
var box = document.getElementById("search");
box.value = "softmax"; box.dispatchEvent(new Event("input"));
say("narrow", count("tr[data-layer]:not([hidden])"));
say("faded", count("#view .node.away"));
box.value = ""; box.dispatchEvent(new Event("input"));
document.getElementById("which").click();
say("imported", count("#view .node"));
document.querySelector("th button").click();
say("sorted", count("th[aria-sort=ascending]"));
document.querySelector("tr[data-layer]").click();
say("detail", document.querySelector("#detail strong").textContent.length > 0);
say("wide", document.documentElement.scrollWidth <= innerWidth);
</script>
X
  cat act.html page.html check.html >all.html
  timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --window-size=400,900 \
    --virtual-time-budget=3000 --dump-dom "file://$PWD/all.html" >dom 2>browser
  grep -o '<body[^>]*>' dom >body
  nodes=$(grep -o '"fate": ' data.json | wc -l)
  for say in "rows=\"$layers\"" "nodes=\"$layers\"" 'narrow="1"' "faded=\"$((layers - 1))\"" "imported=\"$nodes\"" 'sorted="1"' \
    'detail="true"' 'wide="true"'; do
    holds body "data-$say"
  done
  grep -q 'data-error' body && failed "the page's script failed: $(cat body)"
else
  echo "skipped: the page in a browser: there is no chromium"
fi
rm -rf ./*
finish
