# A C file that has the page's style and script as arrays of characters, which end in 0.
set(text "extern const char report_css[], report_js[];\n")
foreach(name css js)
  file(READ ${SOURCE}/report.${name} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND text "const char report_${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${text}")
