"""The Hub, as `publish`, `status` and `logs` use it.

Data flows one way: who asks (`account`) for what (`given`), what is here (`local`, `record`) and
what is there (`remote`) → what would change (`changes`, `plan`) → what is sent (`send`, `apply`) →
what becomes of it (`follow`, `causes`). `client` is the one door through which all of them talk to
the Hub; `show` is how they look in a terminal.
"""
