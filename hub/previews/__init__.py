"""Previews of files: pictures and pages of PDF documents, drawn anew in a process that can be killed."""
