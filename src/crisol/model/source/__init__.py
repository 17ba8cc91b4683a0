"""Features of the source around a patch, for vulnerabilities whose vulnerable source is registered."""
