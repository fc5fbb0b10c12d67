"""Whether ``status`` reads kubeconfigs as kubectl does: both are run, and what reaches the servers is compared."""
