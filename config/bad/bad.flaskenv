FLASK_APP=run.py
SECRET_KEY='hunter2 of all services'
CORE_SERVICE_URL='localhost:5000'
export NEXUS_PORT=70000   # too many
KEYCLOAK_RELM=hivematrix
KEYCLOAK_REALM="${MASTER:-master}"
KEYCLOAK_CLIENT_SECRET="hunter2
HIVEMATRIX_SEALING_KEYS=hunter2
