"""`archsyncctl inspect`: what a sample of a foreign system says, and a mapping profile that would read it."""
