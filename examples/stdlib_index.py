"""Real work: index the source files of Python's standard library with several worker processes, and kill one of them.

    python examples/stdlib_index.py            the same as `jobbers demo`
    python examples/stdlib_index.py --help

What to read: jobbers/demo/index.py does the work in plain functions, jobbers/demo/app.py makes two task types of it,
and jobbers/demo/drive.py submits, watches, kills and compares. In short:

    handles = await index_file.map(files)                             # one task for each file
    ...                                                               # the workers parse, in processes
    summary = await summarise.submit([handle.id for handle in handles])
    print(await summary.result())
"""

import argparse
import sys

from jobbers.demo import main

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--files", type=int, help="how many files to index at most")
parser.add_argument("--workers", type=int, default=2, help="how many worker processes to start")
parser.add_argument("--kill", action=argparse.BooleanOptionalAction, default=True, help="kill one on the way")
parser.add_argument(
    "--check", action=argparse.BooleanOptionalAction, default=True, help="compare with a plain loop"
)
parser.add_argument("--port", type=int, help="where to serve the page")
parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")

if __name__ == "__main__":
    sys.exit(main(**vars(parser.parse_args())))
