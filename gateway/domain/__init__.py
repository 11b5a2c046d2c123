"""The rules: values in, values out. README.md states the law of this folder."""
