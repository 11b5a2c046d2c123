"""The second thin door to the use cases: what happens without anybody asking."""
