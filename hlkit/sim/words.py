"""Names and texts of the simulated location; fixed lists, so that a seed makes the same rows everywhere."""

from __future__ import annotations


def split(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


GIVEN = split(
    """
    Maria James Linda Robert Patricia Michael Barbara David Susan William Jessica Richard Karen Joseph
    Sarah Thomas Nancy Carlos Lisa Daniel Betty Matthew Sandra Anthony Ashley Mark Kimberly Steven Emily
    Andrew Donna Paul Michelle Joshua Carol Kenneth Amanda Kevin Dorothy Brian Melissa George Deborah
    Timothy Stephanie Ronald Rebecca Edward Sharon Jason Laura Jeffrey Cynthia Ryan Kathleen Jacob Amy
    Gary Angela Nicholas Shirley Eric Anna Jonathan Brenda Stephen Pamela Larry Emma Justin Nicole Scott
    Helen Brandon Samantha Benjamin Katherine Samuel Christine Gregory Debra Frank Rachel Alexander
    Carolyn Raymond Janet Patrick Catherine Jack Heather Dennis Diane Jerry Olivia Tyler Julie Aaron
    Joyce Jose Victoria Adam Ruth Nathan Virginia Henry Lauren Zachary Kelly Douglas Christina Peter
    Joan Kyle Evelyn Noah Judith Ethan Andrea Jeremy Hannah Walter Megan Christian Cheryl Keith
    Jacqueline Roger Martha Terry Madison Austin Teresa Sean Gloria Gerald Sara Carl Janice Dylan Ann
    Harold Kathryn Jordan Priya Wei Fatima Ngozi Yusuf Ingrid Mateo Aisha Hiroshi Leila Dmitri Rosa
    Tariq Mei Pavel Noor
    """
)

NICKNAMES = {
    "Robert": "Bob",
    "William": "Bill",
    "Richard": "Rick",
    "Michael": "Mike",
    "James": "Jim",
    "Joseph": "Joe",
    "Thomas": "Tom",
    "Daniel": "Dan",
    "Matthew": "Matt",
    "Anthony": "Tony",
    "Steven": "Steve",
    "Andrew": "Andy",
    "Joshua": "Josh",
    "Kenneth": "Ken",
    "Edward": "Ed",
    "Nicholas": "Nick",
    "Benjamin": "Ben",
    "Samuel": "Sam",
    "Gregory": "Greg",
    "Patricia": "Pat",
    "Barbara": "Barb",
    "Susan": "Sue",
    "Jessica": "Jess",
    "Kimberly": "Kim",
    "Deborah": "Deb",
    "Rebecca": "Becky",
    "Katherine": "Kate",
    "Christine": "Chris",
    "Samantha": "Sam",
    "Pamela": "Pam",
}

FAMILY = split(
    """
    Lopez Miller Johnson Brown Davis Garcia Rodriguez Wilson Martinez Anderson Taylor Hernandez Moore
    Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young
    Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell
    Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart
    Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard
    Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood Bennett Gray Mendoza Ruiz Hughes Price
    Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry Russell Sullivan
    Bell Coleman Butler Henderson Barnes Gonzales Fisher Vasquez Simmons Romero Jordan Patterson
    Alexander Hamilton Graham Reynolds Griffin Wallace Moreno West Cole Hayes Bryant Herrera Gibson
    Ellis Tran Medina Aguilar Stevens Murray Ford Castro Marshall Owens Harrison Fernandez McDonald
    Woods Washington Kennedy Wells Vargas Henry Chen Freeman Webb Tucker Guzman Burns Crawford Olson
    Simpson Porter Hunter Gordon Mendez Silva Shaw Snyder Mason Dixon Munoz Hunt Hicks Holmes Palmer
    Wagner Black Robertson Boyd Stone Salazar Fox Warren Mills Meyer Rice Schmidt Garza Daniels Ferguson
    Nichols Stephens Soto Weaver Ryan Gardner Payne Grant Dunn Kelley Spencer Hawkins Novak Okafor
    Haddad Kowalski Lindqvist Yamamoto
    """
)

# Pairs of (city, postal code), most of them in the suburbs of Chicago.
CITIES = (
    ("Naperville", "60540"),
    ("Aurora", "60505"),
    ("Evanston", "60201"),
    ("Oak Park", "60302"),
    ("Schaumburg", "60193"),
    ("Wheaton", "60187"),
    ("Elmhurst", "60126"),
    ("Skokie", "60076"),
    ("Joliet", "60435"),
    ("Chicago", "60614"),
    ("Chicago", "60618"),
    ("Lombard", "60148"),
)
STREETS = split(
    """
    Maple Oak Cedar Elm Washington Lake Hill Walnut Spring Park Ridge Church Main Prospect Highland
    Forest River Sunset Lincoln Jefferson Grant Chestnut Willow Birch
    """
)
STREET_KINDS = ("St", "Ave", "Rd", "Dr", "Ln")
DOMAINS = ("example.com", "example.org", "example.net")
COMPANY_WORDS = (
    "Lakeside",
    "Prairie",
    "Windy City",
    "Midwest",
    "Fox River",
    "Cornerstone",
    "Blue Door",
    "Summit",
    "Evergreen",
    "Union",
)
COMPANY_KINDS = ("Dental", "Property Group", "Roofing", "Café", "Law Office", "Fitness", "Bakery & Co", "Clinic")

# Area codes in which 555-0100 to 555-0199 are reserved for fiction; those near the location come first.
AREA_CODES = split(
    """
    312 773 708 847 630 815 224 331 872 779 217 309 618 219 262 414 608 920 574 260 317 463 765 812 319
    515 563 641 712 314 417 573 636 660 816 201 202 203 205 206 207 208 209 210 212 213 214 215 216 218
    220 225 228 229 231 234 239 240 248 251 252 253 254 256 267 269 270 272 276 281 301 302 303 304 305
    307 308 310 313 315 316 318 320 321 323 325 330 334 336 337 339 346 347 351 352 360 361 385 386 401
    402 404 405 406 407 408 409 410 412 413 415 419 423 424 425 430 432 434 435 440 442 443 458 469 470
    475 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 516 517 518 520 530 531 534 539 540
    541 551 559 561 562 567 570 571 575 580 585 586 601 602 603 605 606 607 609 610 612 614 615 616 617
    619 620 623 626 628 629 631 646 650 651 657 661 662 667 669 678 681 682 701 702 703 704 706 707 713
    714 715 716 717 718 719 720 724 725 727 731 732 734 737 740 747 754 757 760 762 763 769 770 772 774
    775 781 785 786 801 802 803 804 805 806 808 810 813 814 817 818 828 830 831 832 843 845 848 850 854
    856 857 858 859 860 862 863 864 865 870 878 901 903 904 906 907 908 909 910 912 913 914 915 916 917
    918 919 925 928 929 930 931 936 937 938 940 941 947 949 951 952 954 956 959 970 971 972 973 978 979
    980 984 985 989
    """
)

TAGS = (
    "new lead",
    "customer",
    "vip",
    "newsletter",
    "kitchen",
    "bathroom",
    "roof",
    "garden",
    "spanish speaking",
    "no show",
    "review asked",
    "financing",
    "landlord",
    "home owner",
    "emergency",
    "referred",
    "webinar",
    "spring offer",
    "black friday",
    "cold",
    "hot",
    "call back",
    "do not mail",
    "imported",
    "duplicate?",
)

JOBS = (
    "Kitchen remodel",
    "Bathroom remodel",
    "Roof repair",
    "Gutter cleaning",
    "Deck",
    "Painting",
    "Floor",
    "Windows",
    "Basement",
    "Maintenance plan",
)

GREETINGS = (
    "Hi {name}, thanks for reaching out to Lakeside! A person will be with you shortly.",
    "Thanks {name}! We got your request and will call you soon.",
)
ANSWERS = (
    "Hi {name}, this is {user} from Lakeside. When is a good time to talk?",
    "Good morning {name}, {user} here. I saw your request, do you have photos?",
    "Hello {name}! Happy to help. Would Thursday suit you for a visit?",
)
QUESTIONS = (
    "How much would that be?",
    "Can you come on Saturday?",
    "Is the offer still good?",
    "Thanks, see you then 👍",
    "I need to move our appointment",
    "Do you also do gutters?",
    "¿Hablan español?",
    "What is your address?",
)
REPLIES = (
    "Sure, let me check the calendar.",
    "Between 1,200 and 1,800 depending on the size.",
    "Yes, we do!",
    "I will send you the quote today.",
    "No problem, which day works better?",
)
SUBJECTS = ("Your quote from Lakeside", "Spring offer: 10% off", "How did we do?", "Getting ready for our visit")
