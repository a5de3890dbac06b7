"""Flight records as a timeline: HTML, SVG, Markdown and JSON."""
