# Tests that are scripts: name, interpreter and file. A missing interpreter skips them.
find_program(PYTHON3 python3)
