"""What clients rely on in an API server, checked over plain HTTP, the same against a real one and the embedded one.

The behaviour is that of Kubernetes 1.30. Where the two differ, the embedded server is wrong. The letters and numbers in
the docstrings of the tests (``C05``, ``W10``) name the point that a test is about; those without are finer print of the
same subject. A test asserts what clients decide by: status codes, reasons, causes and the parts of a message that
people act upon, never the whole of a text.

Every test has a namespace of its own and names its cluster-wide objects after that, so that order does not matter and
nothing needs to be cleaned up. Nothing waits for a time: a watch is read until what is waited for has come.
"""
