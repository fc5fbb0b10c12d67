"""The command ``preset``: values files of the chart that make a release a mock of another vendor's driver."""
