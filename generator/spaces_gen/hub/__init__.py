"""The Hub, as `publish`, `status` and `logs` use it.

Data flows one way: what is here (`local`, `record`) and what is there (`remote`) → what would
change (`changes`) → what is sent (`send`) → what becomes of it (`follow`). `client` is the one
door through which all of them talk to the Hub.
"""
