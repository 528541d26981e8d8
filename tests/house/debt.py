"""What is larger than the house allows, with its size: this list only shrinks.

A new entry needs a reason in the commit; a size may be lowered and never raised.
"""

FILE_LINES = {
    "src/isthmus/packs/fulfilment/api.py": 420,
    "src/isthmus/packs/member/api.py": 470,
    "src/isthmus/packs/order/api.py": 620,
    "src/isthmus/packs/payment/api.py": 440,
}

PACK_LINES = {
    "catalog": 1_600,
    "fulfilment": 2_400,
    "inventory": 2_200,
    "member": 2_200,
    "order": 3_200,
    "payment": 2_400,
    "promotion": 2_700,
}

KERNEL_LINES = 2_230  # docs/decisions/0005 says what they are for

UNTESTED = {"after-sale", "checkout", "member", "order", "payment"}  # no test names all that they offer yet
