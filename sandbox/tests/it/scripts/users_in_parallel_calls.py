"""Parallel calls can create and find users, and a user is found only by the current address."""

from concurrent.futures import ThreadPoolExecutor

from aws import *

pool_id, client_id = pool(UsernameAttributes=["email"])


def add(n):
    email = f"user{n}@example.com"
    cognito.admin_create_user(
        UserPoolId=pool_id, Username=email, MessageAction="SUPPRESS", UserAttributes=[{"Name": "email_verified", "Value": "true"}])
    assert user(pool_id, email)["email"] == email
    with refused("UserNotFoundException"):
        user(pool_id, f"nobody{n}@example.com")


with ThreadPoolExecutor(8) as threads:
    list(threads.map(add, range(100)))

moved = [{"Name": "email", "Value": "moved@example.com"}]
cognito.admin_update_user_attributes(UserPoolId=pool_id, Username="user7@example.com", UserAttributes=moved)
with refused("UserNotFoundException"):
    user(pool_id, "user7@example.com")
sub = user(pool_id, "moved@example.com")["sub"]
assert user(pool_id, sub)["email"] == "moved@example.com"
cognito.admin_delete_user(UserPoolId=pool_id, Username=sub)
with refused("UserNotFoundException"):
    user(pool_id, "moved@example.com")
add(7)
