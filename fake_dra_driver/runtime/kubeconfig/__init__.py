"""Kubeconfigs, read as kubectl reads them: ``docs/kubeconfig.md`` says what is honoured.

Follows k8s.io/client-go/tools/clientcmd and plugin/pkg/client/auth/exec. In order of what imports what: ``document``
(one file), ``loading`` (which files, and what they say together), ``execplugin`` (programs that give credentials),
``source`` (credentials from all of it). Loaded only where a kubeconfig is used: a pod with a service account does
without YAML.
"""
