"""One function per trap. It takes a Trial, and returns None or a short description of the fault in the file.

All judges read only the finished file, through package.py, so that they treat every writer alike. An exception (XML that
is not well-formed, a missing part, a broken archive) is a fault too; traps.py describes it.
"""
