"""The loops: what is done when. Talks to the world only through the protocols in ports.py."""
