"""What people touch: the control socket and the operator's tool."""
