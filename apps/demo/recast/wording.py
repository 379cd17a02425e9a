"""Turns the till's abbreviations into words that a merchant can read."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

TILL_WIDTH = 30
LARGEST_PRODUCE_POUNDS = 10
OTHER = "Other"

DEPARTMENTS = {
    "CHARITABLE CONT": "Charitable contributions",
    "CNTRL/STORE SUP": "Store supplies",
    "COUPON": "Coupons",
    "DRUG GM": "Drugstore and general merchandise",
    "ELECT &PLUMBING": "Electrical and plumbing",
    "GM MERCH EXP": "General merchandise, other",
    "MEAT-PCKGD": "Packaged meat",
    "MISCELLANEOUS": "Miscellaneous",
    "PHOTO & VIDEO": "Photo and video",
    "PROD-WHS SALES": "Produce warehouse sales",
    "SEAFOOD-PCKGD": "Packaged seafood",
    "TRAVEL & LEISURE": "Travel and leisure",
}

CATEGORIES = {
    "COUPON/MISC ITEMS": "Coupon and miscellaneous items",
    "MISCELLANEOUS": "Miscellaneous",
    "VEGETABLES SALAD": "Salad vegetables",
}

# Types whose till text cannot be read word by word.
TYPES = {
    "ANTI-ACIDS": "Antacids",
    "ALL FAMILY CEREAL": "Family cereal",
    "ASEPTIC PACK JUICE AND DRINKS": "Juice boxes and pouches",
    "BABY FOOD - BEGINNER": "Baby food, first stage",
    "BABY FOOD JUNIOR ALL BRANDS": "Baby food, junior",
    "BEERALEMALT LIQUORS": "Beer, ale and malt liquor",
    "BREAST - BONELESS(IQF)": "Chicken breast, boneless, frozen",
    "BUTTER SPRAY CRACKER (RITZ/CLU": "Butter crackers",
    "CAN CATFD GOURMET/SUP PREM (GR": "Canned cat food, gourmet",
    "CAN DOG FOOD (SKIPPY/PEDIGREE/": "Canned dog food",
    "CAN DOGFD GOURMET/SUPER PREM (": "Canned dog food, gourmet",
    "CANDY BARS (SINGLES)(INCLUDING": "Candy bars, singles",
    "CANISTER POTATO/TORT CHIPS": "Potato and tortilla chips, canister",
    "CANNED CAT FOOD (9 LIVES/FRISK": "Canned cat food",
    "CARDS EVERYDAY": "Greeting cards, everyday",
    "CHEESE CRACKERS (CHEEZ-ITS/GOL": "Cheese crackers",
    "CHIX: ROTISSERIE (HOT)": "Rotisserie chicken, hot",
    "CHIX:FRD 8PC/CUT UP (HOT)": "Fried chicken, 8 pieces, hot",
    "COOKIES: HOLIDAY/SPECIAL OCCAS": "Cookies, holiday and special occasion",
    "CRANAPPLE CRAN GRAPE JUICE (5": "Cranberry apple and cranberry grape juice",
    "DAIRY CASE 100% PURE JUICE - O": "Chilled orange juice",
    "DAIRY CASE 100% PURE JUICE OTH": "Chilled juice",
    "DAIRY CASE CITRUS PNCH/OJ SUBS": "Chilled citrus punch",
    "DAIRY CASE FRUIT DRINKS (NO JU": "Chilled fruit drinks",
    "DAIRY CASE JUICE DRNK UNDER 10": "Chilled juice drinks",
    "DRY CAT FOOD (CAT CHOW/FRISKIE": "Dry cat food",
    "DRY DOG FOOD PREMIUM (ALPO/PUR": "Dry dog food, premium",
    "DRY DOG FOOD SUPER PREM (ONE/N": "Dry dog food, super premium",
    "ECONOMY - MEAT": "Economy",
    "ELECTRONIC GIFT CARDS ACTIVATI": "Electronic gift cards, activation",
    "ELECTRONIC GIFT CARDS REFRESH": "Electronic gift cards, refill",
    "FACIAL TISSUE & PAPER HANDKE": "Facial tissue",
    "FEM. HYGN.NAPKINS": "Sanitary pads",
    "FEM. HYGN. TAMPONS": "Tampons",
    "FITNESS&DIET - BARS": "Fitness and diet bars",
    "FLUID MILK WHITE ONLY": "White milk",
    "FRUIT BOWL AND CUPS": "Fruit bowls and cups",
    "FRZN BAGGED VEGETABLES - PLAIN": "Frozen vegetables, bagged, plain",
    "FRZN BAGGED VEGETABLES- VALUE": "Frozen vegetables, bagged, prepared",
    "FRZN BOXED VEGETABLES- VALUE A": "Frozen vegetables, boxed, prepared",
    "FRZN BRD STICK/PORTON": "Frozen breaded fish sticks and portions",
    "FRZN BREADED PREPARED CHICK": "Frozen breaded chicken",
    "FRZN BREAKFAST ENTREES/SANDWIC": "Frozen breakfast entrees and sandwiches",
    "FRZN MULTI SERVE ENTREES ALL": "Frozen entrees, multi-serve",
    "FRZN SS PREMIUM ENTREES/DNRS/N": "Frozen dinners, premium, single-serve, nutritional",
    "FRZN SS PREMIUM ENTREES/DNRS/T": "Frozen dinners, premium, single-serve, traditional",
    "GARBAGE KITCHEN COMPACTOR BA": "Garbage and kitchen bags",
    "GASOLINE-REG UNLEADED": "Gasoline, regular unleaded",
    "GRND/PATTY - FROZEN": "Ground meat and patties, frozen",
    "IWS SINGLE CHEESE": "Cheese singles, individually wrapped",
    "LINKS - RAW": "Raw links",
    "MACARONI & CHEESE DNRS": "Macaroni and cheese dinners",
    "MAINSTREAM WHEAT/MULTIGRAIN BR": "Wheat and multigrain bread",
    "MAINSTREAM WHITE BREAD": "White bread",
    "MALTED MLK/SYRUP/PWDRS (EGGNOG": "Malted milk, syrups and powders",
    "MARGARINE: TUBS AND BOWLS": "Margarine, tubs and bowls",
    "MEXICAN SAUCESSALSAPICANTEE": "Mexican sauces and salsa",
    "MISCELLANEOUS CANDY (INCLUDING": "Candy, other",
    "NATURAL CHEESE EXACT WT CHUNKS": "Natural cheese chunks",
    "NATURAL CHEESE EXACT WT SLICES": "Natural cheese slices",
    "NON-CARB FLVRD DRNKNG/MNRL WAT": "Flavored still water",
    "NON-CRBNTD DRNKING/MNERAL WATE": "Still water",
    "NON-IWS SINGLE CHEESE": "Cheese singles",
    "ORANGES NAVELS ALL": "Navel oranges",
    "PLASTIC/HEAVY PAPER PREM PLATE": "Plates, premium",
    "POURABLE SALAD DRESSINGS": "Salad dressings, pourable",
    "PREMIUM - BEEF": "Premium, beef",
    "PREMIUM - MEAT": "Premium",
    "PREP FD: SIDE DISHES (HOT)": "Hot side dishes",
    "PREPARED BEANS - BAKED W/PORK": "Baked beans with pork",
    "ROLLS - PORK": "Pork rolls",
    "RTS SOUP: CHUNKY/HOMESTYLE ET": "Ready-to-serve soup, chunky and homestyle",
    "SAUCE MIXES GRAVY MIXES DRY": "Sauce and gravy mixes, dry",
    "SEMI-SOLID SALAD DRESSING MAY": "Mayonnaise and salad dressing",
    "SFT DRNK 1 LITER BTL CARB (EXC": "Soft drinks, medium bottles",
    "SFT DRNK 2 LITER BTL CARB INCL": "Soft drinks, large bottles",
    "SFT DRNK MLT-PK BTL CARB (EXCP": "Soft drinks, multi-packs of bottles",
    "SFT DRNK SNGL SRV BTL CARB (EX": "Soft drinks, single bottles",
    "SGL SV/VEND MACH SNACKS CHIP/P": "Snacks, single-serve",
    "SOFT DRINKS 12/18&15PK CAN CAR": "Soft drinks, 12 to 18 cans",
    "SOFT DRINKS 20PK&24PK CAN CARB": "Soft drinks, 20 to 24 cans",
    "SOFT DRINKS 6PK/4PK CAN CARB (": "Soft drinks, 4 to 6 cans",
    "SOFT DRINKS CAN NON-CARB (EXCE": "Still soft drinks, cans",
    "SOFT DRINKS SINGLE CANS CARB (": "Soft drinks, single cans",
    "SOUP CRACKERS (SALTINE/OYSTER)": "Soup crackers",
    "SS ECONOMY ENTREES/DINNERS ALL": "Frozen dinners, economy, single-serve",
    "TOMATOES: STEWED/DICED/CRMD": "Tomatoes, stewed, diced or crushed",
    "TRAY PACK/CHOC CHIP COOKIES": "Chocolate chip cookies",
    "TV/MOVIE-MAGAZINE": "TV and movie magazines",
    "VAC PAC NUTS(CANS)": "Nuts, canned",
    "VARIETY BEANS - KIDNEY PINTO": "Beans, kidney, pinto and others",
    "VENDING SIZE/SNGL SERVE CRACKE": "Crackers, single-serve",
    "VENDOR SIZE/SINGLE SERVE COOKI": "Cookies, single-serve",
    "WHOLE CHICKEN (ROASTERS/FRYER)": "Whole chicken",
    "YOGURT NOT MULTI-PACKS": "Yogurt, not multi-packs",
}

WORDS = {
    "ACCES": "accessories", "AMERICAN": "American", "AUSTRALIAN": "Australian", "BBQ": "BBQ", "BEV": "beverages",
    "BKD": "baked", "BKNGWARES": "bakeware", "BN": "beans", "BR": "bread", "BRD": "breaded", "BRKFST": "breakfast",
    "BTL": "bottle", "BTR": "butter", "CARB": "carbonated", "CATFD": "cat food", "CATSUP": "ketchup",
    "CHICK": "chicken", "CHIX": "chicken", "CHKN": "chicken", "CHOC": "chocolate", "CHOCOCLATE": "chocolate",
    "CIG": "cigarette", "CILANTO": "cilantro", "CKE": "cake", "CKTLS": "cocktails", "CKYS": "cookies",
    "CLEANG": "cleaning", "CND": "canned", "CNDY": "candy", "CNTRL": "control", "COCO": "cocoa",
    "COFF": "coffee", "COMBO": "combination", "CONC": "concentrate", "CONTAINR": "containers", "COOKNG": "cooking",
    "CRBNTD": "carbonated", "CRMD": "creamed", "CRKR": "crackers", "CRYSTL": "crystal", "DAN": "danish",
    "DECAFFINATED": "decaffeinated", "DEPT": "department", "DISPOSIBLE": "disposable", "DNR": "dinner",
    "DNRS": "dinners", "DOGFD": "dog food", "DPS": "dips", "DRG": "drug", "DRNK": "drink", "DRNKING": "drinking",
    "DRNKNG": "drinking", "DRNKS": "drinks", "DRP": "drops", "DRSNG": "dressing", "DSH": "dishes",
    "DXM": "DXM", "EX": "except", "EXCP": "except", "FD": "food", "FDS": "foods", "FEM": "feminine",
    "FLAV": "flavored", "FLVR": "flavored", "FLVRD": "flavored", "FRD": "fried", "FRE": "fresh", "FRS": "fresh",
    "FRZ": "frozen", "FRZN": "frozen", "GDS": "goods", "GNG": "ginger", "GNGR": "ginger", "GRND": "ground",
    "HBC": "health and beauty", "HYGN": "hygiene", "INCL": "including", "INGRED": "ingredients",
    "INSTORE": "in-store", "IQF": "individually frozen", "JCE": "juice", "LINAMENTS": "liniments",
    "LOZNG": "lozenges", "LTR": "liter", "MACH": "machine", "MARIN": "marinated", "MEMORABLILIA": "memorabilia",
    "MFG": "manufacturer", "MISC": "other", "MISC.": "other", "MISCELLANEOUS": "other", "MIXS": "mixes",
    "MLK": "milk", "MLT": "multi", "MULT": "multi", "MW": "microwave", "MX": "mix",
    "MNERAL": "mineral", "MNRL": "mineral", "MUSTAR": "mustard", "MXS": "mixes", "NDAIRY": "non-dairy",
    "OCCAS": "occasion", "OJ": "orange juice", "OTC": "OTC", "OTH": "other", "PAC": "packed", "PCKGD": "packaged",
    "PICKLD": "pickled", "PK": "pack", "PKG": "packaged", "PKGD": "packaged", "PKLD": "pickled", "PLSTC": "plastic",
    "PNCH": "punch", "PNT": "peanut", "PORTON": "portions", "PPK": "prepacked", "PREM": "premium",
    "PREP": "prepared", "PREPACK": "prepacked", "PREPORTND": "preportioned", "PRESLC": "presliced",
    "PROD": "produce", "PROTIEN": "protein", "PRPCK": "prepacked", "PWDR": "powder", "PWDRS": "powders",
    "REFIGERATED": "refrigerated", "REFRGRATD": "refrigerated", "REFRIG": "refrigerated", "REG": "regular",
    "RTD": "ready-to-drink", "RTS": "ready-to-serve", "RW": "random-weight", "SAL": "salads", "SALD": "salad",
    "SAUS": "sausage", "SCE": "sauce", "SECT": "sections", "SFT": "soft", "SGL": "single", "SHERBTS": "sherbets",
    "SHLFSH": "shellfish", "SMI": "semi", "SNDWCH": "sandwich", "SNGL": "single", "SNKS": "snacks",
    "SPECILATY": "specialty", "SPLY": "supplies", "SRV": "serve", "SS": "single-serve", "STK": "stick",
    "SUG": "sugar", "SUP": "super", "SUPP": "supplement", "SUPPPLIES": "supplies", "SV": "serve", "SW": "sweet",
    "SWEETNERS": "sweeteners", "SWT": "sweet", "SYRP": "syrup", "TISS": "tissue", "TN": "Tennessee",
    "TORT": "tortilla", "TRSH": "trash", "TV": "TV", "VAC": "vacuum",
    "VEG": "vegetable", "VEND": "vending", "W": "with", "WAT": "water", "WHL": "whole", "WHLSM": "wholesome",
    "WHS": "warehouse", "WORCHESTER": "worcestershire", "WT": "weight", "WTR": "water", "XPCTRNT": "expectorant",
    "BG": "bags", "ENGLISH": "English", "EXPRESS": "Express", "FRENCH": "French", "FS": "French-style", "FUJI": "Fuji",
    "GALA": "Gala", "GRANNY": "Granny", "HISPANIC": "Hispanic", "ITALIAN": "Italian", "KAISER": "Kaiser",
    "LOREAL": "L'Oreal", "MASTERCARD": "Mastercard", "MEXICAN": "Mexican", "NZ": "New Zealand", "PSE": "PSE",
    "SMITH": "Smith", "SPF": "SPF", "SPRD": "spread", "SWISS": "Swiss", "TRANS": "transactions",
}  # fmt: skip

# Words that say nothing without their category: "Lean" is beef, "Premium" is ice cream.
VAGUE = frozenset(
    {
        "ADDED", "ALL", "AND", "ANGUS", "BETTER", "BLENDS", "BULK", "CHOICE", "CONES", "COOKED", "DRY", "ECONOMY",
        "ENHANCED", "ENTREES", "EXTERNAL", "FLAVORED", "FOR", "FRESH", "GARDEN", "IMPORTED", "INTERNAL", "LEAN",
        "LINKS", "MAINSTREAM", "MISC", "MISCELLANEOUS", "MIXED", "NATURAL", "OTHER", "PACK", "PAILS", "PATTIES",
        "PINTS", "PLUS", "PRE", "PREMIUM", "PRIMAL", "PROCESSED", "QUARTS", "RAW", "REGULAR", "SELECT", "SINGLES",
        "SMOKED", "SPECIALTY", "STANDARD", "STICKS", "SUPER", "TRADITIONAL", "VALUE", "YOU",
    }
)  # fmt: skip
CATEGORY_FIRST = frozenset({"MEAT", "MEAT-PCKGD"})

_TOKEN = re.compile(r"[A-Z0-9][A-Z0-9'.%]*")
_DANGLING = re.compile(
    r"(?:[\s,;:/&(<=\-]+|\b(?:and|with|or|no|non|of|in|w|n|except|including|not)\b)+$", re.IGNORECASE
)


def _balanced(text: str) -> str:
    """Drop a bracket that the till cut off, and brackets that only say how the item is packed."""
    while text.count("(") > text.count(")"):
        text = text[: text.rindex("(")]
    return re.sub(r"\((?:BULK\s*&\s*BAG|BULK/PKG)\)", "", text)


def known_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of the texts that the till did not cut off."""
    return frozenset(word for text in texts if len(text) < TILL_WIDTH - 1 for word in _TOKEN.findall(text))


def readable(text: str, words: frozenset[str]) -> str:
    """Return a till text in sentence case, abbreviations spelt out and a cut-off last word dropped."""
    if text in TYPES:
        return TYPES[text]
    whole = _balanced(text)
    cut_off = whole == text and len(text) >= TILL_WIDTH - 1
    if cut_off:
        last = _TOKEN.findall(text)[-1]
        if len(last) == 1 or (last not in words and last not in WORDS):
            whole = text[: text.rindex(last)]
    if cut_off or whole != text:
        whole = _DANGLING.sub("", whole.strip())
    whole = re.sub(r"^MEAT:\s*(.*?)\s+BULK$", r"\1, BULK", whole)
    whole = re.sub(r"^SEAFOOD-([A-Z]+)-", r"SEAFOOD, \1, ", whole)
    whole = re.sub(r"\s*:\s*|\s+-\s*|-\s+", ", ", whole)
    whole = re.sub(r"\s*&\s*", " and ", whole)
    whole = re.sub(r"\s*/\s*", "/", whole.replace("W/", "WITH "))
    whole = _TOKEN.sub(lambda found: WORDS.get(found[0].rstrip("."), found[0].lower()), whole)
    whole = re.sub(r"\s+", " ", whole).strip(" ,-/")
    return whole[:1].upper() + whole[1:] if whole else OTHER


def readable_size(text: str) -> str:
    """Return a package size such as "16 oz", "2 L" or "12 ct"; empty where there is none or an item code."""
    size = re.sub(r"\s+", " ", text).strip().rstrip("( ").lower()
    size = re.sub(r"^l (?=\d)", "", size)
    size = re.sub(r"(?<![\d.])\.(?=\d)", "0.", size)
    size = re.sub(r"\b(\d+(?:\.\d+)?)\s*l\b", r"\1 L", size)
    size = re.sub(r"\bga\b", "gal", size)
    size = re.sub(r"\bbtl\b", "bottle", size)
    if re.search(r"\d{5}", size):
        return ""
    return {"pt": "1 pint", "gal": "1 gallon", "ctn": "carton", "qt": "1 quart", "lb": "per lb"}.get(size, size)


def _is_case_size(department: str, size: str) -> bool:
    """Say whether a size is the case's that the greengrocer unpacks: bananas come in 40 lb and sell by the piece."""
    if department != "PRODUCE":
        return False
    pounds = re.fullmatch(r"(\d+)(?:-\d+)? LB", size.strip())
    return size.strip().endswith(" CT") or (pounds is not None and int(pounds[1]) > LARGEST_PRODUCE_POUNDS)


def _needs_category(department: str, category: str, type_: str) -> bool:
    if not category or category.startswith(("MISC", "COUPON", "MEAT - ")):
        return False
    words = set(_TOKEN.findall(type_))
    if words & set(_TOKEN.findall(category)):
        return False
    return department in CATEGORY_FIRST or words <= VAGUE


def describe(products: pd.DataFrame) -> pd.DataFrame:
    """Return title and category ("Department > Category > Type") for each product, in the products' order.

    A title is what the item is and how it is packed; items that differ only in their maker carry the maker's number.
    """
    kinds = products[["department", "category", "type"]].drop_duplicates(ignore_index=True)
    words = known_words([*kinds["type"].unique(), *kinds["category"].unique()])
    department = [DEPARTMENTS.get(name) or readable(name, words) for name in kinds["department"]]
    category = [CATEGORIES.get(name) or readable(name, words) for name in kinds["category"]]
    type_ = [readable(name, words) for name in kinds["type"]]
    names = []
    for row, room, shelf, variety in zip(kinds.itertuples(index=False), department, category, type_, strict=True):
        if not row.type:
            names.append(shelf if row.category else f"{room}, other")
        elif _needs_category(str(row.department), str(row.category), str(row.type)):
            names.append(f"{shelf}, {variety[0].lower()}{variety[1:]}")
        else:
            names.append(variety)
    kinds["path"] = [" > ".join(parts) for parts in zip(department, category, type_, strict=True)]
    kinds["name"] = names
    described = products[["department", "category", "type"]].merge(
        kinds, on=["department", "category", "type"], how="left"
    )
    packs = products[["department", "size"]].drop_duplicates(ignore_index=True)
    packs["words"] = [
        "" if _is_case_size(room, size) else readable_size(size)
        for room, size in zip(packs["department"], packs["size"], strict=True)
    ]
    size = products[["department", "size"]].merge(packs, on=["department", "size"], how="left")["words"]
    title = described["name"].str.cat(np.where(size.eq(""), "", ", " + size))
    maker = products["manufacturer_id"].reset_index(drop=True)
    shared = maker.groupby(title).transform("nunique") > 1
    return pd.DataFrame(
        {"title": title.where(~shared, title + ", maker " + maker.astype(str)), "category": described["path"]}
    )
