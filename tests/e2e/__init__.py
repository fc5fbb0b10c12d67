"""The quickstart on a real cluster: whichever the kubeconfig points to, with the driver installed from its chart.

Everything goes through kubectl, since that is what a user types, or through a script as a user writes it. The tests
install nothing; they leave the cluster as they found it. Tests that kill processes need a node on this machine:
FAKE_DRA_E2E_LOCAL_CLUSTER_DIR names the folder of a cluster that ``cluster up --node`` started (see ``local.py``).
"""
