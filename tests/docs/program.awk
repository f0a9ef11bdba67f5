# usage: awk -f program.awk guide.md
# The program that the ```cpp blocks of a page are, in order: those that begin with a directive, a namespace, a template
# or a struct as they are, the others as the body of main. Compilers tell lines of the page.
/^```cpp$/ { inside = 1; first = 1; next }
/^```$/ && inside { inside = 0; next }
inside && first {
  first = 0
  outside = $0 ~ /^(#|namespace|template|struct)/
  add("#line " NR " \"" FILENAME "\"")
}
inside { add($0) }
function add(line) {
  if (outside)
    declarations = declarations line "\n"
  else
    statements = statements line "\n"
}
END {
  if (statements == "") {
    print "program.awk: no code in " FILENAME > "/dev/stderr"
    exit 1
  }
  printf "%s", "#include <cstdio>\n\n" declarations "\nint main() try {\n" statements
  print "} catch (const stipple::Error& error) {\n  std::fprintf(stderr, \"%s\\n\", error.what());\n  return 1;\n}"
}
