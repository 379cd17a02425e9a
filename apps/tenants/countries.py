"""What is usual in a country where a shop says nothing else: its money, its numbers, its clock, its dates."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

CURRENCIES = [
    ("USD", _("US dollar")), ("EUR", _("Euro")), ("GBP", _("Pound sterling")), ("CNY", _("Chinese yuan")),
    ("JPY", _("Japanese yen")), ("AUD", _("Australian dollar")), ("BRL", _("Brazilian real")),
    ("CAD", _("Canadian dollar")), ("CHF", _("Swiss franc")), ("CLP", _("Chilean peso")),
    ("COP", _("Colombian peso")), ("CZK", _("Czech koruna")), ("DKK", _("Danish krone")), ("EGP", _("Egyptian pound")),
    ("HKD", _("Hong Kong dollar")), ("HUF", _("Hungarian forint")), ("IDR", _("Indonesian rupiah")),
    ("ILS", _("Israeli shekel")), ("INR", _("Indian rupee")), ("KES", _("Kenyan shilling")),
    ("KRW", _("South Korean won")), ("MXN", _("Mexican peso")), ("MYR", _("Malaysian ringgit")),
    ("NGN", _("Nigerian naira")), ("NOK", _("Norwegian krone")), ("NZD", _("New Zealand dollar")),
    ("PEN", _("Peruvian sol")), ("PHP", _("Philippine peso")), ("PLN", _("Polish złoty")), ("RON", _("Romanian leu")),
    ("SAR", _("Saudi riyal")), ("SEK", _("Swedish krona")), ("SGD", _("Singapore dollar")), ("THB", _("Thai baht")),
    ("TRY", _("Turkish lira")), ("TWD", _("New Taiwan dollar")), ("UAH", _("Ukrainian hryvnia")),
    ("AED", _("UAE dirham")), ("VND", _("Vietnamese đồng")), ("ZAR", _("South African rand")),
    ("ARS", _("Argentine peso")), ("BDT", _("Bangladeshi taka")), ("BOB", _("Boliviano")),
    ("CRC", _("Costa Rican colón")), ("DOP", _("Dominican peso")), ("ETB", _("Ethiopian birr")),
    ("GEL", _("Georgian lari")), ("GHS", _("Ghanaian cedi")), ("GTQ", _("Guatemalan quetzal")),
    ("ISK", _("Icelandic króna")), ("JMD", _("Jamaican dollar")), ("JOD", _("Jordanian dinar")),
    ("KZT", _("Kazakhstani tenge")), ("KWD", _("Kuwaiti dinar")), ("MOP", _("Macanese pataca")),
    ("MAD", _("Moroccan dirham")), ("NIO", _("Nicaraguan córdoba")), ("PKR", _("Pakistani rupee")),
    ("PYG", _("Paraguayan guaraní")), ("RSD", _("Serbian dinar")), ("TZS", _("Tanzanian shilling")),
    ("TND", _("Tunisian dinar")), ("UGX", _("Ugandan shilling")), ("UYU", _("Uruguayan peso")),
    ("VES", _("Venezuelan bolívar")), ("ZMW", _("Zambian kwacha")),
]
# What a country pays with (ISO 4217); of those that are not named here, the dollar.
CURRENCY_OF = {
    **dict.fromkeys(("AT", "BE", "BG", "HR", "CY", "EE", "FI", "FR", "DE", "GR", "IE", "IT", "LV", "LT", "LU", "MT",
                     "NL", "PT", "SI", "SK", "ES"), "EUR"),
    "GB": "GBP", "CH": "CHF", "CN": "CNY", "JP": "JPY", "AU": "AUD", "BR": "BRL", "CA": "CAD", "CL": "CLP", "CO": "COP",
    "CZ": "CZK", "DK": "DKK", "EG": "EGP", "HK": "HKD", "HU": "HUF", "ID": "IDR", "IL": "ILS", "IN": "INR", "KE": "KES",
    "KR": "KRW", "MX": "MXN", "MY": "MYR", "NG": "NGN", "NO": "NOK", "NZ": "NZD", "PE": "PEN", "PH": "PHP", "PL": "PLN",
    "RO": "RON", "SA": "SAR", "SE": "SEK", "SG": "SGD", "TH": "THB", "TR": "TRY", "TW": "TWD", "UA": "UAH", "AE": "AED",
    "VN": "VND", "ZA": "ZAR", "AR": "ARS", "BD": "BDT", "BO": "BOB", "CR": "CRC", "DO": "DOP", "ET": "ETB", "GE": "GEL",
    "GH": "GHS", "GT": "GTQ", "IS": "ISK", "JM": "JMD", "JO": "JOD", "KZ": "KZT", "KW": "KWD", "MO": "MOP", "MA": "MAD",
    "NI": "NIO", "PK": "PKR", "PY": "PYG", "RS": "RSD", "TZ": "TZS", "TN": "TND", "UG": "UGX", "UY": "UYU", "VE": "VES",
    "ZM": "ZMW",
}
COUNTRIES = [
    ("AR", _("Argentina")), ("AU", _("Australia")), ("AT", _("Austria")), ("BD", _("Bangladesh")), ("BE", _("Belgium")),
    ("BO", _("Bolivia")), ("BR", _("Brazil")), ("BG", _("Bulgaria")), ("CA", _("Canada")), ("CL", _("Chile")),
    ("CN", _("China")), ("CO", _("Colombia")), ("CR", _("Costa Rica")), ("HR", _("Croatia")), ("CY", _("Cyprus")),
    ("CZ", _("Czechia")), ("DK", _("Denmark")), ("DO", _("Dominican Republic")), ("EC", _("Ecuador")),
    ("EG", _("Egypt")), ("SV", _("El Salvador")), ("EE", _("Estonia")), ("ET", _("Ethiopia")), ("FI", _("Finland")),
    ("FR", _("France")), ("GE", _("Georgia")), ("DE", _("Germany")), ("GH", _("Ghana")), ("GR", _("Greece")),
    ("GT", _("Guatemala")), ("HK", _("Hong Kong")), ("HU", _("Hungary")), ("IS", _("Iceland")), ("IN", _("India")),
    ("ID", _("Indonesia")), ("IE", _("Ireland")), ("IL", _("Israel")), ("IT", _("Italy")), ("JM", _("Jamaica")),
    ("JP", _("Japan")), ("JO", _("Jordan")), ("KZ", _("Kazakhstan")), ("KE", _("Kenya")), ("KW", _("Kuwait")),
    ("LV", _("Latvia")), ("LT", _("Lithuania")), ("LU", _("Luxembourg")), ("MO", _("Macao")), ("MY", _("Malaysia")),
    ("MT", _("Malta")), ("MX", _("Mexico")), ("MA", _("Morocco")), ("NL", _("Netherlands")), ("NZ", _("New Zealand")),
    ("NI", _("Nicaragua")), ("NG", _("Nigeria")), ("NO", _("Norway")), ("PK", _("Pakistan")), ("PA", _("Panama")),
    ("PY", _("Paraguay")), ("PE", _("Peru")), ("PH", _("Philippines")), ("PL", _("Poland")), ("PT", _("Portugal")),
    ("PR", _("Puerto Rico")), ("RO", _("Romania")), ("SA", _("Saudi Arabia")), ("RS", _("Serbia")),
    ("SG", _("Singapore")), ("SK", _("Slovakia")), ("SI", _("Slovenia")), ("ZA", _("South Africa")),
    ("KR", _("South Korea")), ("ES", _("Spain")), ("SE", _("Sweden")), ("CH", _("Switzerland")), ("TW", _("Taiwan")),
    ("TZ", _("Tanzania")), ("TH", _("Thailand")), ("TN", _("Tunisia")), ("TR", _("Türkiye")), ("UG", _("Uganda")),
    ("UA", _("Ukraine")), ("AE", _("United Arab Emirates")), ("GB", _("United Kingdom")), ("US", _("United States")),
    ("UY", _("Uruguay")), ("VE", _("Venezuela")), ("VN", _("Vietnam")), ("ZM", _("Zambia")), ("ZW", _("Zimbabwe")),
]
# How a country writes numbers; of those that are not named here, as in 1,234.50.
NUMBERS_OF = {
    **dict.fromkeys(("AR", "AT", "BE", "BO", "BR", "CL", "CO", "CR", "CY", "DE", "DK", "EC", "ES", "GR", "HR", "ID",
                     "IS", "IT", "LU", "MO", "NL", "PY", "PT", "RO", "RS", "SI", "TR", "UY", "VE", "VN"), "de-de"),
    **dict.fromkeys(("BG", "CZ", "EE", "FI", "FR", "GE", "HU", "KZ", "LT", "LV", "NO", "PL", "SE", "SK", "UA"),
                    "fr-fr"),
    "CH": "de-ch"}
# The clock of a country, in the zone where most of it lives; of those that are not named here, UTC.
ZONE_OF = {country: f"{area}/{place}" for area, places in {
    "Africa": {"EG": "Cairo", "ET": "Addis_Ababa", "GH": "Accra", "KE": "Nairobi", "MA": "Casablanca", "NG": "Lagos",
               "TN": "Tunis", "TZ": "Dar_es_Salaam", "UG": "Kampala", "ZA": "Johannesburg", "ZM": "Lusaka",
               "ZW": "Harare"},
    "America": {"AR": "Argentina/Buenos_Aires", "BO": "La_Paz", "BR": "Sao_Paulo", "CA": "Toronto", "CL": "Santiago",
                "CO": "Bogota", "CR": "Costa_Rica", "DO": "Santo_Domingo", "EC": "Guayaquil", "GT": "Guatemala",
                "JM": "Jamaica", "MX": "Mexico_City", "NI": "Managua", "PA": "Panama", "PE": "Lima",
                "PR": "Puerto_Rico", "PY": "Asuncion", "SV": "El_Salvador", "US": "New_York", "UY": "Montevideo",
                "VE": "Caracas"},
    "Asia": {"AE": "Dubai", "BD": "Dhaka", "CN": "Shanghai", "CY": "Nicosia", "GE": "Tbilisi", "HK": "Hong_Kong",
             "ID": "Jakarta", "IL": "Jerusalem", "IN": "Kolkata", "JO": "Amman", "JP": "Tokyo", "KR": "Seoul",
             "KW": "Kuwait", "KZ": "Almaty", "MO": "Macau", "MY": "Kuala_Lumpur", "PH": "Manila", "PK": "Karachi",
             "SA": "Riyadh", "SG": "Singapore", "TH": "Bangkok", "TW": "Taipei", "VN": "Ho_Chi_Minh"},
    "Atlantic": {"IS": "Reykjavik"}, "Australia": {"AU": "Sydney"}, "Pacific": {"NZ": "Auckland"},
    "Europe": {"AT": "Vienna", "BE": "Brussels", "BG": "Sofia", "CH": "Zurich", "CZ": "Prague", "DE": "Berlin",
               "DK": "Copenhagen", "EE": "Tallinn", "ES": "Madrid", "FI": "Helsinki", "FR": "Paris", "GB": "London",
               "GR": "Athens", "HR": "Zagreb", "HU": "Budapest", "IE": "Dublin", "IT": "Rome", "LT": "Vilnius",
               "LU": "Luxembourg", "LV": "Riga", "MT": "Malta", "NL": "Amsterdam", "NO": "Oslo", "PL": "Warsaw",
               "PT": "Lisbon", "RO": "Bucharest", "RS": "Belgrade", "SE": "Stockholm", "SI": "Ljubljana",
               "SK": "Bratislava", "TR": "Istanbul", "UA": "Kyiv"},
}.items() for country, place in places.items()}
_MONTH_FIRST = frozenset({"US"})


def date_order(country: str) -> str:
    """How 03/04/2025 is meant in a country: "mdy", the month first, or "dmy"."""
    return "mdy" if country in _MONTH_FIRST else "dmy"
