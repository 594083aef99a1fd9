"""The studio's web server: it owns its port before it starts, and its start takes as long as the machine needs."""

import threading

from gradio import http_server

from emofeedback.machine.server_port import listening


class StudioServer(http_server.Server):
    """Gradio's server, with a start that fails only where it fails.

    Gradio gives a start five seconds, too few beside a busy program, and looks at a port before it takes it. Either
    way it then tries the next port with the same app, whose MCP server cannot begin twice: no port was left.
    """

    def run_in_thread(self) -> None:
        """Listen, then start; requests are answered on return, and wait until then.

        Raises:
            OSError: the port is taken; the app has not been started.
            RuntimeError: the app did not start; the log says why.
        """
        sockets = listening(self.config.host, self.config.port)
        self.thread = threading.Thread(target=self.run, args=(sockets,), daemon=True)
        self.thread.start()
        while not self.started:
            self.thread.join(0.01)
            if not self.thread.is_alive():
                for one in sockets:
                    one.close()
                raise RuntimeError("The studio's server did not start; the log says why.")
        if self.reloader:
            self.watch_thread = threading.Thread(target=self.watch, daemon=True)
            self.watch_thread.start()


def serve_patiently() -> None:
    """Let Gradio make its servers of this class; it has no other place to name one."""
    http_server.Server = StudioServer
