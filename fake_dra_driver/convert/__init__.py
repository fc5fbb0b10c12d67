"""The command ``convert``: manifests of classic DRA as manifests of structured DRA (``resource.k8s.io/v1``).

It reads and writes text alone and needs no cluster. A document in which nothing has to change is printed byte for byte;
in one that changes, only the changed values do: comments, quotes, order and indentation of all else stay.

- ``stream``: a file as the documents in it.
- ``tree``: where in its text each value of a document stands.
- ``rewrite``: a changed value, written into the text of its document, in the ``style`` of the file.
- ``known``: the classes and parameters that all the files have.
- ``claims``, ``classes``, ``pods``, ``selector``: what becomes of a classic object; on values, not on text.
- ``outcome``: what became of one: its new value, or why it has none.
- ``output``: the text that is printed.
- ``conversion``: all files at once, since parameters may be in any of them.
- ``program``: the sub-command.
"""
