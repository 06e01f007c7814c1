"""One function per trap: it takes a Trial and gives None, or in a few words what is wrong with the file.

All judges read the finished file only, through package.py, so that every writer stands before the same court. What raises
on the way (XML that is not well-formed, a part that is missing, a broken archive) is a fault too; traps.py words it.
"""
