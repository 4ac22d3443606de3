"""Files to and from S3: s3 (URIs, listing, downloads), etag (of a local file, as S3 would compute it), upload (of what
changed in a folder), script_mode (the project's source for AWS's own containers).
"""
