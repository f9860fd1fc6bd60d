"""What `zhichao doctor` looks at: functions from settings or a connection to findings."""
