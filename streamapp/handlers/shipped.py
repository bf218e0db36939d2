"""All handlers of a worker: those that come with streamapp and those of the modules named in the settings."""

from streamapp.handlers import digest, webhook_delivery, welcome_email
from streamapp.handlers.bind import Handlers
from streamapp.settings import Settings
from streamapp.tasktypes import Registry
from streamapp.tasktypes.loading import load_modules

SETTING = "STREAMAPP_TASKS__HANDLERS"


def load(settings: Settings, registry: Registry) -> Handlers:
    """The handlers that `settings` ask for, bound to the types of `registry`.

    Raises:
        ConfigurationError: a module that cannot be imported, or see `Handlers.of`.
    """
    modules = [welcome_email, webhook_delivery, *load_modules(settings.tasks.handlers, SETTING)]
    return Handlers.of(modules, registry, digest.HANDLER)
