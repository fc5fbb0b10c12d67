"""What containerd is to a real kubelet: containers, which are processes here, their logs, and their CDI devices."""
