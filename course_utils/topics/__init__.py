"""One subject per file, for one to four chapters each; the notebook side below, no tool of the author above."""
