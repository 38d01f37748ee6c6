#!/usr/bin/env python3
"""Lays out the photographs that the starter model learns from.

    catalogue.py DATA FOLDER

DATA holds two public sets: `fashion/`, catalogue photographs on white with a
table of their kinds, and `clothing/`, photographs of clothes taken at home.
FOLDER gets `catalogue.csv`, whose rows name a photograph, its category in the
starter's own words and its part of the split; the photographs of the first
set that it names, out of their archive; and a link to the second set.
"""

import csv
import hashlib
import sys
import tarfile
from collections import Counter
from pathlib import Path

# Each category by the article types of `fashion`, and the folders of `clothing`.
CATEGORIES = {
    "Clothing > Tops > T-shirts": (["Tshirts"], ["t-shirt"]),
    "Clothing > Tops > Shirts": (["Shirts"], ["shirt"]),
    "Clothing > Tops > Blouses and tunics": (["Tops", "Tunics"], []),
    "Clothing > Tops > Long-sleeved tops": ([], ["longsleeve"]),
    "Clothing > Tops > Sweaters and sweatshirts": (["Sweaters", "Sweatshirts"], []),
    "Clothing > Tops > Jackets and coats": (["Jackets", "Blazers", "Rain Jacket"], ["outwear"]),
    "Clothing > Tops > Kurtas": (["Kurtas", "Kurtis", "Kurta Sets"], []),
    "Clothing > Bottoms > Trousers and jeans": (["Trousers", "Jeans", "Track Pants"], ["pants"]),
    "Clothing > Bottoms > Leggings": (["Leggings", "Jeggings", "Capris", "Churidar"], []),
    "Clothing > Bottoms > Shorts": (["Shorts"], ["shorts"]),
    "Clothing > Bottoms > Skirts": (["Skirts"], ["skirt"]),
    "Clothing > Dresses": (["Dresses"], ["dress"]),
    "Clothing > Sarees": (["Sarees"], []),
    "Clothing > Underwear > Bras": (["Bra"], []),
    "Clothing > Underwear > Briefs and trunks": (["Briefs", "Trunk", "Boxers"], []),
    "Clothing > Underwear > Vests": (["Innerwear Vests", "Camisoles"], []),
    "Clothing > Nightwear": (["Night suits", "Nightdress", "Lounge Pants"], []),
    "Clothing > Socks": (["Socks"], []),
    "Footwear > Shoes": (["Casual Shoes", "Sports Shoes", "Formal Shoes"], ["shoes"]),
    "Footwear > Heels": (["Heels"], []),
    "Footwear > Flats": (["Flats"], []),
    "Footwear > Sandals": (["Sandals", "Sports Sandals"], []),
    "Footwear > Flip-flops": (["Flip Flops"], []),
    "Bags > Handbags": (["Handbags", "Clutches"], []),
    "Bags > Backpacks": (["Backpacks"], []),
    "Bags > Laptop and travel bags": (["Laptop Bag", "Duffel Bag", "Messenger Bag"], []),
    "Bags > Wallets": (["Wallets"], []),
    "Accessories > Watches": (["Watches"], []),
    "Accessories > Sunglasses": (["Sunglasses"], []),
    "Accessories > Belts": (["Belts"], []),
    "Accessories > Hats": (["Caps", "Hat"], ["hat"]),
    "Accessories > Ties": (["Ties"], []),
    "Accessories > Scarves": (["Scarves", "Stoles", "Mufflers", "Dupatta"], []),
    "Accessories > Cufflinks": (["Cufflinks"], []),
    "Accessories > Jewellery > Earrings": (["Earrings"], []),
    "Accessories > Jewellery > Necklaces": (["Necklace and Chains", "Pendant"], []),
    "Accessories > Jewellery > Rings": (["Ring"], []),
    "Accessories > Jewellery > Bracelets": (["Bangle", "Bracelet"], []),
    "Beauty > Lips": (["Lipstick", "Lip Gloss", "Lip Liner"], []),
    "Beauty > Nail polish": (["Nail Polish"], []),
    "Beauty > Perfume": (["Perfume and Body Mist", "Deodorant"], []),
    "Beauty > Make-up": (
        ["Compact", "Foundation and Primer", "Kajal and Eyeliner", "Eyeshadow",
         "Highlighter and Blush"],
        [],
    ),
}

# Catalogue photographs of a category at most: more of those that are most
# alike teach less than the time that they take.
MOST = 900


def drawn(content: bytes) -> int:
    """A number that is the same for the same photograph."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")


def part_of(content: bytes) -> str:
    """One in ten tests, one in ten validates."""
    return {0: "test", 1: "validation"}.get(drawn(content) % 10, "train")


def catalogue(data: Path, folder: Path) -> list[tuple[str, str, str]]:
    kinds = {kind: name for name, (kinds, _) in CATEGORIES.items() for kind in kinds}
    with (data / "fashion/products.csv").open(newline="", encoding="utf-8") as table:
        wanted = {row["id"]: kinds.get(row["article"]) for row in csv.DictReader(table)}
    found = []
    with tarfile.open(data / "fashion/images.tar") as archive:
        for member in archive:
            category = wanted.get(Path(member.name).stem)
            if member.isfile() and category:
                found.append((member.name, category, archive.extractfile(member).read()))
    # The same draw on any machine.
    found.sort(key=lambda photograph: drawn(photograph[2] + b"draw"))
    rows, counts = [], Counter()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name, category, content in found:
        counts[category] += 1
        if counts[category] <= MOST:
            path = folder / "images" / Path(name).name
            path.write_bytes(content)
            rows.append((f"images/{path.name}", category, part_of(content)))
    return rows


def home(data: Path, folder: Path) -> list[tuple[str, str, str]]:
    folders = {name: category for category, (_, names) in CATEGORIES.items() for name in names}
    rows = []
    link = folder / "home"
    link.unlink(missing_ok=True)
    link.symlink_to((data / "clothing").resolve())
    for given in ("train", "validation"):
        for path in sorted((link / given).glob("*/*")):
            # The part that the set keeps aside only tests, so nothing else does.
            part = "test"
            if given == "train":
                part = "validation" if drawn(path.read_bytes()) % 10 == 1 else "train"
            rows.append((str(path.relative_to(folder)), folders[path.parent.name], part))
    return rows


def main() -> None:
    data, folder = map(Path, sys.argv[1:3])
    rows = sorted(catalogue(data, folder) + home(data, folder))
    with (folder / "catalogue.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(("image", "category", "split"))
        writer.writerows(rows)
    parts = Counter(part for _, _, part in rows)
    print(f"{len(rows)} photographs in {len(CATEGORIES)} categories: {dict(parts)}")


if __name__ == "__main__":
    main()
