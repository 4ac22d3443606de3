"""Uploads to S3 and downloads from it.

s3 (URIs, listing, downloads), mirror (local copies of prefixes), local_files (the files of a folder in S3's order),
etag (the ETag of a local file), content (the hash of a folder, and a cache of its files' hashes), upload (new and
changed files of a folder), planned_uploads (a job's local inputs, at prefixes named after their content), distribution
(images on several machines), script_mode (the project's source for AWS's containers).
"""
