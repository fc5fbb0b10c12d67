"""Nodes without a kubelet plugin, kept by KWOK: how soon many of them have their devices, and what that costs."""
