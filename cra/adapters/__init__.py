"""Sources that an atlas is made from: functions, an OpenAPI document, a folder of documents.

Each module turns a source into what `Imported` holds; `atlas` makes the files of it.
"""
