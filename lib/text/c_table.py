"""c_table.py - how nfc_table.py and unicode_table.py write their tables"""


def table(head, rows, width):
    print(head + " = {")
    line = ""
    for row in rows:
        if len(line) + len(row) > width:
            print("\t" + line.rstrip())
            line = ""
        line += row + " "
    print("\t" + line.rstrip())
    print("};")
