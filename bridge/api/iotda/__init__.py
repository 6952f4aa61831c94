"""The IoTDA v5 dialect: errors.py, one file of routes a resource, parse_… and render_… as pure functions."""
