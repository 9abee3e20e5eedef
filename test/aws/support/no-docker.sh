#!/bin/sh
# Stands in for an engine: it has no image yet (inspect), and whatever else it is asked to do with one is done.
[ "$1" != inspect ]
