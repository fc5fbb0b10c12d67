"""How kubeconfigs are read: a test for each row of the table in docs/kubeconfig.md, without kubectl."""
