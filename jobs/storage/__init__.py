"""Files to and from S3: s3 (URIs, listing, downloads), local_files (of a folder, in S3's order), etag (of a local file,
as S3 would compute it), content (the hash of a folder, and remembered hashes of its files), upload (of what S3 does not
have of a folder), planned_uploads (a job's local inputs, at prefixes named by their content), script_mode (the
project's source for AWS's own containers).
"""
