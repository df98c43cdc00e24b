"""What explains a run: loading, growth, forecast, verdict, pictures and reports.

It reads run directories and nothing else: never a clock, a process or a socket.
"""
