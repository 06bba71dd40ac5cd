"""Generates the employees of the sandbox organisation and their LMS accounts."""

from collections import Counter
from datetime import date, timedelta
from random import Random

from connectors.moodle.demo import names
from connectors.moodle.demo.records import Employee, User

FIRST_NUMBER = 1001
FIRST_USER_ID = 3  # 1 is guest, 2 is admin
SHARED_ADDRESS = "reception@acme.example"

# Which employees (counted from 0) are odd, so that every organisation holds every oddity.
_SHARED_EMAIL = (27, 28)
_TWO_ACCOUNTS = 33


def employees(count: int, seed: int, today: date) -> list[Employee]:
    """Generate `count` employees: a director, one manager per department, and those who report to them."""
    rng = Random(f"employees {seed}")
    logins: Counter[str] = Counter()
    positions = [position for position, _, _ in names.POSITIONS]
    weights = [weight for _, _, weight in names.POSITIONS]
    grades = {position: paid for position, paid, _ in names.POSITIONS}
    made: list[Employee] = []
    for index in range(count):
        chinese = rng.random() < 0.45
        given, given_login = rng.choice(names.CHINESE_GIVEN if chinese else names.EUROPEAN_GIVEN)
        family, family_login = rng.choice(names.CHINESE_FAMILY if chinese else names.EUROPEAN_FAMILY)
        login = f"{given_login}.{family_login}"
        logins[login] += 1
        if logins[login] > 1:
            login += str(logins[login])
        department = names.DEPARTMENTS[(index - 1) % len(names.DEPARTMENTS)]
        if index == 0:
            position, grade, manager = names.DIRECTOR, "G8", ""
        elif index <= len(names.DEPARTMENTS):
            position, grade, manager = names.MANAGER, "G7", f"E{FIRST_NUMBER}"
        else:
            position = rng.choices(positions, weights)[0]
            grade = rng.choice(grades[position])
            manager = f"E{FIRST_NUMBER + 1 + (index - 1) % len(names.DEPARTMENTS)}"
        joined = today - timedelta(days=rng.randrange(40, 12 * 365))
        left = max(joined, today - timedelta(days=rng.randrange(5, 200))) if index % 40 == 39 else None
        number = f"E{FIRST_NUMBER + index}"
        made.append(Employee(number, given, family, chinese, login, department, position, grade, manager, joined, left))
    return made


def accounts(staff: list[Employee], now: int) -> tuple[dict[int, User], dict[str, tuple[int, ...]]]:
    """Give most employees an LMS account; return the accounts and the ids of the odd ones by oddity."""
    users = {
        1: User(1, "guest", "Guest user", " ", "root@localhost"),
        2: User(2, "admin", "Admin", "User", "admin@example.com", last_access=now - 3600),
    }
    odd: dict[str, list[int]] = {
        name: [] for name in ("no_idnumber", "shared_email", "two_accounts", "suspended_users", "deleted_users")
    }
    for index, employee in enumerate(staff):
        if index % 25 == 24:
            continue  # an employee without an account
        user = _account(len(users) + 1, employee, now)
        users[user.id] = user
        if index in _SHARED_EMAIL:
            user.idnumber, user.email = "", SHARED_ADDRESS
            odd["shared_email"].append(user.id)
        elif index == _TWO_ACCOUNTS:
            second = _account(user.id + 1, employee, now)
            second.username += ".old"
            second.email = f"{second.username}@acme.example"
            users[second.id] = second
            odd["two_accounts"] += [user.id, second.id]
        elif index % 60 == 17:
            user.idnumber = ""
            odd["no_idnumber"].append(user.id)
        elif index % 50 == 12 or employee.left is not None:
            user.suspended = True
            odd["suspended_users"].append(user.id)
        elif index % 75 == 45:
            odd["deleted_users"].append(user.id)
    return users, {name: tuple(ids) for name, ids in odd.items()}


def _account(user_id: int, employee: Employee, now: int) -> User:
    institution, city, country = names.SITES[user_id % len(names.SITES)]
    return User(
        id=user_id,
        username=employee.login,
        firstname=employee.given,
        lastname=employee.family,
        email=employee.email,
        idnumber=employee.number,
        department=employee.department,
        institution=institution,
        city=city,
        country=country,
        cost_centre=f"CC-{100 + user_id % 12}",
        created=now - 3 * 365 * 86400,
    )
