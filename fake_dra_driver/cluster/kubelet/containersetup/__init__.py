"""What a container gets before it starts: its image's command, environment, volumes, devices and service account."""
