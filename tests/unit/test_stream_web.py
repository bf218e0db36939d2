"""The web server of a Faust role: what it serves is streamapp's, and none of Faust's own pages."""

from pathlib import Path

from agents.diary.dashboard import Dashboard
from streamapp.settings import Settings
from streamapp.stream.creating import create_app


def test_faust_serves_no_page_of_its_own(tmp_path: Path) -> None:
    settings = Settings(data_directory=tmp_path)
    app = create_app(settings, web_host="127.0.0.1", web_port=6066, logging_config={"version": 1})
    app.routes.append(Dashboard(settings.api_url).add_routes)
    app.web.init_server()
    paths = {resource.canonical for resource in app.web.web_app.router.resources()}
    assert paths == {"/", "/ui", "/ui/{name}"}
