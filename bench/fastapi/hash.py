# Prints how long the check of a password against its hash takes, in ms.
import sys
import time

import bcrypt

password, hash = (text.encode() for text in sys.argv[1:])
start = time.perf_counter()
assert bcrypt.checkpw(password, hash)
print((time.perf_counter() - start) * 1000)
