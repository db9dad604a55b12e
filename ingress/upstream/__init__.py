"""The way to the targets: addresses, verified TLS, HTTP/1.1 connections kept in a LIFO pool."""
