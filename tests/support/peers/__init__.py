"""Real mail servers, name servers and web servers for tests; README.md says how they are started."""
