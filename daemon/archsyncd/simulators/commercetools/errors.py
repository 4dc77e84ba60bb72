"""The platform's refusals as values with a status, a code and a body; knows nothing of what was refused."""

from typing import Any

import orjson


class ApiError(Exception):
    """One refused request: `{statusCode, message, errors: [{code, message, ...}]}`."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra

    def body(self) -> bytes:
        """Return the JSON body of the REST answer."""
        return orjson.dumps(self.document())

    def document(self) -> dict[str, Any]:
        """Return the JSON body as a tree."""
        errors = [{"code": self.code, "message": self.message, **self.extra}]
        return {"statusCode": self.status, "message": self.message, "errors": errors}


class AuthError(ApiError):
    """A refused credential: the same body plus OAuth's own fields (RFC 6749, section 5.2)."""

    def document(self) -> dict[str, Any]:
        """Return the JSON body as a tree."""
        return {**super().document(), "error": self.code, "error_description": self.message}


def invalid_json(detail: str) -> ApiError:
    """Refuse a body that is not the JSON the endpoint takes."""
    message = "The request body is not the JSON this endpoint takes."
    return ApiError(400, "InvalidJsonInput", message, detailedErrorMessage=detail)


def required_field(field: str) -> ApiError:
    """Refuse a request that leaves out a required field."""
    return ApiError(400, "RequiredField", f"The field '{field}' must have a value.", field=field)


def invalid_field(field: str, value: Any, reason: str = "") -> ApiError:
    """Refuse a value its field cannot hold."""
    message = f"The value of '{field}' is not valid. {reason}".strip()
    return ApiError(400, "InvalidField", message, field=field, invalidValue=value)


def duplicate_field(field: str, value: Any) -> ApiError:
    """Refuse a value that another resource holds."""
    message = f"Another resource holds this value of '{field}'."
    return ApiError(400, "DuplicateField", message, field=field, duplicateValue=value)


def invalid_input(message: str) -> ApiError:
    """Refuse a parameter or a body against a constraint."""
    return ApiError(400, "InvalidInput", message)


def invalid_operation(message: str) -> ApiError:
    """Refuse an operation the resource's state does not allow."""
    return ApiError(400, "InvalidOperation", message)


def not_found(what: str) -> ApiError:
    """Say that the addressed resource does not exist."""
    return ApiError(404, "ResourceNotFound", f"No resource at '{what}'.")


def unknown_reference(type_id: str, **by: str) -> ApiError:
    """Refuse a reference to something that does not exist; `by` is id or key."""
    message = f"The referenced {type_id} {by} was not found."
    return ApiError(400, "ReferencedResourceNotFound", message, typeId=type_id, **by)


def conflict(sent: int | None, current: int) -> ApiError:
    """Refuse a write made from another version than the current one."""
    message = f"Version mismatch: the request names {sent}, the resource is at {current}."
    return ApiError(409, "ConcurrentModification", message, currentVersion=current)
