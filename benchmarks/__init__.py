"""One script a figure, each printing ratios against a peer or a bound measured in the same run.

    make bench NAME=end_to_end

A benchmark is a module here with a `main(arguments) -> Result`. Its last line of output is one JSON
object; the exit code is 0 only if every claim in `ok` is true.
"""
